-- Which model served since when, and why?
-- What happened to the versions of the models, newest first; live.
SELECT session, kind, model_id, rival_id, actor, note
FROM model_events
WHERE origin = 'live'
ORDER BY number DESC
