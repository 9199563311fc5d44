-- For each use (its number, path, digest, workspace or nothing, from when to when, run or nothing) the newest writes that it
-- may go back to. Each way is one seek in an index for each use.
WITH wanted AS (
    SELECT CAST(list.value->>0 AS BIGINT) AS n, list.value->>1 AS path, list.value->>2 AS digest,
        list.value->>3 AS workspace, CAST(list.value->>4 AS BIGINT) AS since, CAST(list.value->>5 AS BIGINT) AS until,
        list.value->>6 AS run
    FROM {list}
)
SELECT w.n AS n, 'before' AS how, f.run AS run, f.direction AS direction, f.path AS path, f.digest AS digest,
    f.workspace AS workspace, f.started AS started, f.ended AS ended, f.role AS role, f.certainty AS certainty
FROM wanted w CROSS JOIN run_file f
WHERE f.project = $1 AND f.direction = 'output' AND f.path = w.path AND f.run = (
    SELECT o.run FROM run_file o
    WHERE o.project = $1 AND o.direction = 'output' AND o.run <> w.run
        AND o.path = w.path AND (w.workspace = '' OR o.workspace = w.workspace)
        AND o.ended <= w.since
    ORDER BY o.ended DESC, o.run DESC LIMIT 1
)
UNION ALL
SELECT w.n AS n, 'meanwhile' AS how, f.run AS run, f.direction AS direction, f.path AS path, f.digest AS digest,
    f.workspace AS workspace, f.started AS started, f.ended AS ended, f.role AS role, f.certainty AS certainty
FROM wanted w CROSS JOIN run_file f
WHERE f.project = $1 AND f.direction = 'output' AND f.path = w.path AND f.run = (
    SELECT o.run FROM run_file o
    WHERE o.project = $1 AND o.direction = 'output' AND o.run <> w.run
        AND o.path = w.path AND (w.workspace = '' OR o.workspace = w.workspace)
        AND o.digest = w.digest AND o.ended > w.since AND o.ended <= w.until
    ORDER BY o.ended DESC, o.run DESC LIMIT 1
)
UNION ALL
SELECT w.n AS n, 'elsewhere' AS how, f.run AS run, f.direction AS direction, f.path AS path, f.digest AS digest,
    f.workspace AS workspace, f.started AS started, f.ended AS ended, f.role AS role, f.certainty AS certainty
FROM wanted w CROSS JOIN run_file f
WHERE f.project = $1 AND f.direction = 'output' AND f.digest = w.digest AND f.run = (
    SELECT o.run FROM run_file o
    WHERE o.project = $1 AND o.direction = 'output' AND o.run <> w.run
        AND o.digest = w.digest AND o.ended <= w.since
        -- whoever read it only copied it
        AND NOT EXISTS (
            SELECT 1 FROM run_file i
            WHERE i.project = $1 AND i.digest = w.digest AND i.direction = 'input' AND i.run = o.run
        )
    ORDER BY o.ended DESC, o.run DESC LIMIT 1
)
