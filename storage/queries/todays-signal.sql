-- What to do at the next open?
-- One row a traded symbol. HOLD stands there too, with its reasons; actionable = 0 is for the record only.
SELECT session, symbol, action, quantity, probability, probability_low, probability_high, reasons, actionable
FROM v_latest_signals
ORDER BY symbol
