-- How often was it right in the last month, by confidence?
-- All live forecasts made in time, the newest month with outcomes. commoner_side is what always naming the side that
-- came more often would have got: a hit rate means nothing without it, nor without the number it is made of.
WITH judged AS (
    SELECT f.label, substr(f.session, 1, 7) AS month, o.outcome,
           CASE WHEN f.probability >= 0.5 THEN f.probability ELSE 1 - f.probability END AS confidence,
           CASE WHEN f.probability >= 0.5 THEN o.outcome ELSE 1 - o.outcome END AS hit
    FROM forecasts f
    JOIN outcomes o ON o.session = f.session AND o.symbol = f.symbol AND o.label = f.label
    WHERE f.origin = 'live' AND f.late = 0
), banded AS (
    SELECT label, outcome, hit, confidence,
           CASE WHEN confidence < 0.55 THEN '0.50' WHEN confidence < 0.60 THEN '0.55' WHEN confidence < 0.65 THEN '0.60'
                WHEN confidence < 0.70 THEN '0.65' WHEN confidence < 0.80 THEN '0.70' ELSE '0.80' END AS at_least
    FROM judged
    WHERE month = (SELECT MAX(month) FROM judged)
)
SELECT label, at_least, COUNT(*) AS forecasts, AVG(confidence) AS claimed, AVG(1.0 * hit) AS hit_rate,
       CASE WHEN AVG(1.0 * outcome) < 0.5 THEN 1 - AVG(1.0 * outcome) ELSE AVG(1.0 * outcome) END AS commoner_side
FROM banded
GROUP BY label, at_least
ORDER BY label, at_least
