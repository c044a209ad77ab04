-- What can be lost on what is held?
-- risk is what the stops cost if each fills at its price, from the last close; a gap through a stop costs more.
SELECT p.symbol, p.direction, p.quantity, p.entry_price, p.last_close, p.stop_price, p.target_price, p.open_profit,
       p.quantity * CASE p.direction WHEN 'SHORT' THEN p.stop_price - p.last_close ELSE p.last_close - p.stop_price END
           AS risk,
       100 * p.quantity
           * CASE p.direction WHEN 'SHORT' THEN p.stop_price - p.last_close ELSE p.last_close - p.stop_price END
           / NULLIF(e.equity, 0) AS risk_pct_of_equity
FROM v_open_positions p
CROSS JOIN (SELECT equity FROM v_equity WHERE origin = 'live' ORDER BY session DESC LIMIT 1) AS e
ORDER BY risk DESC
