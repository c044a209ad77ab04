-- What does this column mean?
-- The dictionary of the view to begin with; put another name there.
SELECT column_name, type, description
FROM data_dictionary
WHERE object_name = 'v_latest_signals'
ORDER BY column_name
