-- Joins the wanted nodes with both tables of edges, each through its index. `CROSS JOIN` because SQLite keeps the order of
-- such a join: left to itself, it goes through all edges of the project once for each of many wanted nodes.
WITH wanted (kind, key) AS (VALUES {wanted})
SELECT {from}.kind AS from_kind, {from}.key AS from_key, e.kind AS kind, {to}.kind AS to_kind, {to}.key AS to_key,
    e.role AS role, e.certainty AS certainty
FROM wanted w CROSS JOIN node n CROSS JOIN edge e CROSS JOIN node o
WHERE n.kind = w.kind AND n.key = w.key AND e.project = $1 AND e.{known} = n.id{only_of_runs} AND o.id = e.{other}
UNION
SELECT f.from_kind, f.from_key, f.kind, f.to_kind, f.to_key, '' AS role, f.certainty
FROM wanted w CROSS JOIN fact_edge f
WHERE f.project = $1 AND f.{known_side}_kind = w.kind AND f.{known_side}_key = w.key AND {holds}{only_of_events}
LIMIT {limit}
