-- What was forecast for the newest session, and by whom?
-- Every label of every symbol, peers too, with each member's probability in a row of its own.
SELECT f.session, f.symbol, f.label, f.method, f.probability, m.member, m.probability AS member_probability
FROM forecasts f
JOIN member_forecasts m
  ON m.origin = f.origin AND m.session = f.session AND m.symbol = f.symbol AND m.label = f.label
WHERE f.origin = 'live' AND f.session = (SELECT MAX(session) FROM forecasts WHERE origin = 'live')
ORDER BY f.symbol, f.label, m.member
