-- How has it done, month by month?
-- Live forecasts made in time, by label; commoner_side is what always naming the side that came more often would have got.
SELECT substr(f.session, 1, 7) AS month, f.label, COUNT(*) AS forecasts,
       AVG(CASE WHEN f.probability >= 0.5 THEN 1.0 * o.outcome ELSE 1.0 - o.outcome END) AS hit_rate,
       CASE WHEN AVG(1.0 * o.outcome) < 0.5 THEN 1 - AVG(1.0 * o.outcome) ELSE AVG(1.0 * o.outcome) END AS commoner_side
FROM forecasts f
JOIN outcomes o ON o.session = f.session AND o.symbol = f.symbol AND o.label = f.label
WHERE f.origin = 'live' AND f.late = 0
GROUP BY substr(f.session, 1, 7), f.label
ORDER BY month, f.label
