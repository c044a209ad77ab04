-- Why was nothing done?
-- How often each action was decided for each reason; live.
SELECT action, reasons, COUNT(*) AS signals, MIN(session) AS first_session, MAX(session) AS last_session
FROM v_signal_history
WHERE origin = 'live'
GROUP BY action, reasons
ORDER BY signals DESC, action, reasons
