-- Is the ensemble better than its members?
-- Mean log loss in nats, live, lower is better; 0.693 is a coin. Each member beside the ensemble on the same forecasts.
WITH said AS (
    SELECT m.label, m.member, o.outcome, m.probability AS own, f.probability AS ensemble
    FROM member_forecasts m
    JOIN forecasts f ON f.origin = m.origin AND f.session = m.session AND f.symbol = m.symbol AND f.label = m.label
    JOIN outcomes o ON o.session = m.session AND o.symbol = m.symbol AND o.label = m.label
    WHERE m.origin = 'live' AND f.late = 0
), came_true AS (
    SELECT label, member, CASE outcome WHEN 1 THEN own ELSE 1 - own END AS own,
           CASE outcome WHEN 1 THEN ensemble ELSE 1 - ensemble END AS ensemble
    FROM said
)
SELECT label, member, COUNT(*) AS forecasts,
       AVG(-LN(CASE WHEN own < 0.000001 THEN 0.000001 ELSE own END)) AS log_loss,
       AVG(-LN(CASE WHEN ensemble < 0.000001 THEN 0.000001 ELSE ensemble END)) AS ensemble_log_loss
FROM came_true
GROUP BY label, member
ORDER BY label, log_loss
