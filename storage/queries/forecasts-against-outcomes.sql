-- Does what it calls 70 % come true 70 times in a hundred?
-- P(up) in tenths beside the share that came up, by label, live; n below a hundred tells little. Of a backtest: evaluate.
SELECT f.label, FLOOR(f.probability * 10) / 10 AS from_probability, COUNT(*) AS forecasts,
       AVG(f.probability) AS said, AVG(1.0 * o.outcome) AS came_true
FROM forecasts f
JOIN outcomes o ON o.session = f.session AND o.symbol = f.symbol AND o.label = f.label
WHERE f.origin = 'live' AND f.late = 0
GROUP BY f.label, FLOOR(f.probability * 10) / 10
ORDER BY f.label, from_probability
