-- What did the trades earn, by how they ended?
-- Closed positions of the live account, after costs.
SELECT exit_reason, direction, COUNT(*) AS trades, SUM(profit) AS profit, AVG(profit) AS mean_profit,
       SUM(cost) AS costs, SUM(CASE WHEN profit > 0 THEN 1 ELSE 0 END) AS winners
FROM trades
WHERE origin = 'live'
GROUP BY exit_reason, direction
ORDER BY exit_reason, direction
