-- What was the account worth at the end of each month?
-- With the month's return and the deepest drawdown in it; the live account.
WITH by_month AS (
    SELECT substr(session, 1, 7) AS month, MAX(session) AS last_session, MAX(drawdown_pct) AS deepest_drawdown_pct
    FROM v_equity
    WHERE origin = 'live'
    GROUP BY substr(session, 1, 7)
)
SELECT m.month, m.last_session, e.equity, e.positions,
       100 * (e.equity / NULLIF(LAG(e.equity) OVER (ORDER BY m.month), 0) - 1) AS return_pct, m.deepest_drawdown_pct
FROM by_month m
JOIN v_equity e ON e.session = m.last_session AND e.origin = 'live'
ORDER BY m.month
