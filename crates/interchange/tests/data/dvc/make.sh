#!/bin/sh
# Makes samples.tar.gz, DVC repositories by real clients. By hand, not by the tests:
#   python3 -m venv v3 && v3/bin/pip install dvc==3.67.1; python3 -m venv v2 && v2/bin/pip install dvc==2.58.2 'pathspec<0.12'
#   PATH=$PWD/v3/bin:$PATH DVC2=$PWD/v2/bin sh make.sh OUT
# Each sample is the repository, and beside it what `dvc checkout` gave per commit.
set -eu
out=$1
mkdir -p "$out" && out=$(cd "$out" && pwd)
work=$(mktemp -d)
export HOME=$work GIT_CONFIG_GLOBAL=/dev/null DVC_SITE_CACHE_DIR=$work/site DVC_NO_ANALYTICS=1
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
tick=1700000000
commit() {
    tick=$((tick + 60))
    git add -A && GIT_AUTHOR_DATE="$tick +0000" GIT_COMMITTER_DATE="$tick +0000" git commit -q -m "$1"
}
begin() {
    mkdir -p "$work/$1" && cd "$work/$1"
    git init -q -b main .
    dvc init -q || [ -f .dvc/config ] # DVC 2 trips over its own farewell
    dvc config core.analytics false || true
}
# keeps the repository and, for every commit, what DVC itself checks out
keep() {
    mkdir -p "$out/$1/checkouts"
    for id in $(git rev-list --all); do
        git checkout -q "$id" && dvc checkout -q --force 2>/dev/null || true
        mkdir -p "$out/$1/checkouts/$id"
        for path in $2; do
            [ -e "$path" ] && cp -rL --parents "$path" "$out/$1/checkouts/$id/"
        done
    done
    git checkout -q main && dvc checkout -q --force 2>/dev/null || true
    for path in $2; do rm -rf "$path"; done
    rm -rf .dvc/tmp .git/hooks .git/logs .git/info
    git gc -q --aggressive --prune=now
    chmod -R u+w .
    mkdir -p "$out/$1/repo" && cp -r . "$out/$1/repo/"
}

# files and folders over four commits and a branch; the remote is a folder
begin plain
mkdir -p data images/sub
printf 'id,risk\n1,good\n2,bad\n' >data/train.csv
printf 'a\n' >images/a.txt
printf 'x\r\ny\r\n' >images/sub/b.txt
printf 'é\n' >images/é.txt
printf '#!/bin/sh\necho hello\n' >run.sh && chmod +x run.sh
dvc add -q data/train.csv images run.sh
commit 'first data'
printf '3,good\n' >>data/train.csv && dvc add -q data/train.csv
commit 'one more row'
git checkout -q -b side
printf 'b\n' >images/b.txt && dvc add -q images
commit 'a picture more, on a branch'
git checkout -q main && dvc checkout -q
: >data/empty.csv && mkdir nothing && dvc add -q data/empty.csv nothing
commit 'an empty file and an empty folder'
dvc remote add -d store ../plain-remote
commit 'a remote'
dvc push -q --all-commits
keep plain 'data/train.csv data/empty.csv images nothing run.sh'
mkdir -p "$out/plain/remote" && cp -r "$work/plain-remote/." "$out/plain/remote/" && chmod -R u+w "$out/plain/remote"

# stages: wdir, matrix, an uncached metric, one path by `.dvc` first and by a stage later
begin stages
printf 'lr: 0.1\n' >params.yaml
mkdir -p prep raw
printf '1\n2\n3\n' >raw/in.txt && dvc add -q raw/in.txt
printf 'by hand\n' >prep/table.txt && dvc add -q prep/table.txt
commit 'by hand'
rm prep/table.txt.dvc && git rm -q --cached prep/table.txt.dvc && rm -f prep/.gitignore
cat >dvc.yaml <<'YAML'
stages:
  prep:
    wdir: prep
    cmd: sort -r ../raw/in.txt > table.txt && mkdir -p parts && head -1 table.txt > parts/one
    deps:
    - ../raw/in.txt
    outs:
    - table.txt
    - parts
  train:
    matrix:
      depth: [1, 2]
    cmd: mkdir -p models && echo ${item.depth} > models/${item.depth}.bin && echo '{"auc":0.${item.depth}}' > m${item.depth}.json
    deps:
    - prep/table.txt
    params:
    - lr
    outs:
    - models/${item.depth}.bin
    metrics:
    - m${item.depth}.json:
        cache: false
YAML
dvc repro -q
commit 'by stages'
printf '4\n' >>raw/in.txt && dvc add -q raw/in.txt && dvc repro -q
commit 'with four'
keep stages 'raw/in.txt prep/table.txt prep/parts models'
rm -rf "$out/stages/repo/.dvc/cache/runs"
rm -f "$out"/stages/checkouts/*/models/.gitignore

# a repository that DVC 2 made: another place for objects, another hash for text
PATH=$DVC2:$PATH
begin legacy
mkdir -p data
printf 'a\r\nb\r\n' >data/dos.txt
printf '\000\r\n' >data/binary
printf 'one\r\n' >single.csv
dvc add -q data single.csv || [ -f single.csv.dvc ]
commit 'dos'
printf 'two\r\n' >>single.csv && dvc add -q single.csv
cat >dvc.yaml <<'YAML'
stages:
  count:
    cmd: wc -l < single.csv > count.txt
    deps:
    - single.csv
    outs:
    - count.txt
YAML
dvc repro -q
commit 'counted'
keep legacy 'data single.csv count.txt'
rm -rf "$out/legacy/repo/.dvc/cache/runs"

cd "$out" && GZIP=-9n tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -czf ../samples.tar.gz plain stages legacy
