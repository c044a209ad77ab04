-- What did each version of the models forecast?
-- From when to when it spoke, how often, and how often it was right; outcomes that are not known yet count for nothing.
SELECT f.model_id, m.month, f.label, MIN(f.session) AS first_session, MAX(f.session) AS last_session,
       COUNT(*) AS forecasts, AVG(f.probability) AS mean_probability, COUNT(o.outcome) AS resolved,
       AVG(CASE WHEN f.probability >= 0.5 THEN 1.0 * o.outcome ELSE 1.0 - o.outcome END) AS hit_rate
FROM forecasts f
LEFT JOIN models m ON m.model_id = f.model_id
LEFT JOIN outcomes o ON o.session = f.session AND o.symbol = f.symbol AND o.label = f.label
WHERE f.origin = 'live'
GROUP BY f.model_id, m.month, f.label
ORDER BY m.month, f.model_id, f.label
