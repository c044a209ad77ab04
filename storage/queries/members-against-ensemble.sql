-- Is the ensemble better than its members?
-- Mean log loss in nats, live, lower is better; 0.693 is a coin. The ensemble's own row is called ensemble.
WITH said AS (
    SELECT session, symbol, label, member, probability FROM member_forecasts WHERE origin = 'live'
    UNION ALL
    SELECT session, symbol, label, 'ensemble' AS member, probability FROM forecasts WHERE origin = 'live'
), judged AS (
    SELECT s.label, s.member, o.outcome,
           CASE WHEN s.probability < 0.000001 THEN 0.000001 WHEN s.probability > 0.999999 THEN 0.999999
                ELSE s.probability END AS p
    FROM said s
    JOIN outcomes o ON o.session = s.session AND o.symbol = s.symbol AND o.label = s.label
)
SELECT label, member, COUNT(*) AS forecasts, AVG(CASE outcome WHEN 1 THEN -LN(p) ELSE -LN(1 - p) END) AS log_loss
FROM judged
GROUP BY label, member
ORDER BY label, log_loss
