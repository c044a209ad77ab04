-- Which bars were refused, and why?
-- The newest fifty; payload is the bar as the feed gave it. `bars quarantine` says what to do about one.
SELECT symbol, session, seen_at, reason, verdict, payload
FROM quarantine
ORDER BY seen_at DESC, id DESC
LIMIT 50
