-- Which runs failed, or hang?
-- The newest attempt at each job that is neither done nor closed without its bars; detail says why.
SELECT kind, session, status, started_at, finished_at, detail
FROM runs
WHERE origin = 'live' AND status IN ('failed', 'running')
ORDER BY session DESC, kind
