#!/bin/bash
# Makes the frozen home with a program of that time: make.sh STEMMA FOLDER
set -euo pipefail
stemma=$1; base=$2
rm -rf "$base"; mkdir -p "$base/config" "$base/project"; cd "$base/project"
export STEMMA_CONFIG_DIR=$base/config USER=ada@example.org HOME=$base XDG_RUNTIME_DIR=$base GIT_CEILING_DIRECTORIES=$base
mkdir data
cat > train.py <<'PY'
import sys
def field(number, content): return bytes([number << 3 | 2, len(content)]) + content
def value(name): return field(1, name) + field(2, field(1, b'\x08\x01' + field(2, field(1, field(2, b'N')) + field(1, b'\x08\x01'))))
operation = sys.argv[1].encode()
rows = open('data/train.csv').read().splitlines()
node = field(1, b'x') + field(1, b'x') + field(2, b'y') + field(4, operation)
graph = field(1, node) + field(2, operation) + field(11, value(b'x')) + field(12, value(b'y'))
open('model.onnx', 'wb').write(b'\x08\x08' + field(7, graph) + field(8, field(1, b'') + b'\x10\x11'))
PY
{ echo x,z; for n in $(seq 1 40); do echo "$n,$((n * n))"; done; } > data/test.csv
{ echo x,z; for n in $(seq 50 60); do echo "$n,$((n * n))"; done; } > data/train.csv
"$stemma" init
cat >> stemma.toml <<'TOML'
[model.square.evaluation]
data = "data/test.csv"
target = "z"
primary = "mae"

[model.square.gate.rows]
kind = "data-test"
data = "data/train.csv"
min_rows = 5

[model.square.promotion.production]
gates = ["rows"]
approvals = 1
alias = "champion"
TOML
"$stemma" add data/test.csv
"$stemma" add data/train.csv
for operation in Add Mul; do
  "$stemma" run -- /usr/bin/python3 train.py $operation
  "$stemma" register square model.onnx
done
echo "61,3721" >> data/train.csv
"$stemma" add data/train.csv
"$stemma" show square
bob=$("$stemma" user add bob@example.org --role approver)
eve=$("$stemma" user add eve@example.org --role reader --label phone --json)
"$stemma" gate square@1.1.0
STEMMA_TOKEN=$bob "$stemma" approve square@1.1.0 --reason "looks right"
"$stemma" promote square@1.1.0 production --reason go
"$stemma" promote square@1.0.0 archived --reason "the next one is better"
"$stemma" deploy area --model square@champion --reason "the better one"
"$stemma" deploy area --model square@champion --log fast --reason "a quick one"
"$stemma" predict area --data '{"x": 1}' --json > ../second.json
"$stemma" rollback area --reason "too quick"
"$stemma" deploy gone --model square@champion
"$stemma" undeploy gone --reason "nobody calls it"
for n in $(seq 1 20); do "$stemma" predict area --data "{\"x\": $n}" --json > ../answer.json; [ $n = 3 ] && cp ../answer.json ../sealed.json; done
id() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["parameters"]["prediction_id"])' $1; }
"$stemma" feedback $(id ../sealed.json) --label 9
"$stemma" feedback $(id ../answer.json) --label 401 --comment "measured again"
"$stemma" link https://example.org/squares train@1 --type source --why "told by the owner"
"$stemma" link test@1 train@1 --type derived --why "a guess"
"$stemma" unlink test@1 train@1 --type derived
"$stemma" audit rotate-key
"$stemma" token revoke $(python3 -c 'import json,sys; print(json.loads(sys.argv[1])["token_id"])' "$eve")
"$stemma" role revoke eve@example.org reader
"$stemma" add data/test.csv --project other
echo secret > data/private.csv
"$stemma" add data/private.csv
"$stemma" purge data/private.csv --reason "they asked"
"$stemma" predict area --data '{"x": 7}' --json > ../open.json
echo "sealed $(id ../sealed.json)"; echo "open $(id ../open.json)"
"$stemma" audit verify
"$stemma" audit events | tail -80
"$stemma" endpoints area
