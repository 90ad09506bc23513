#!/bin/sh
# The same user's steps with Task on before/ or with forge on after/, without a network:
#
#     walk.sh task PATH    walk.sh forge PATH
#
# Prints a line per step: `ok` or `failed` by its exit code, and whether what a user looks at afterwards is there. walk.before
# is what Task printed, walk.after what forge printed. Words in between are not compared: they differ and are meant to.
set -u
way=$1 tool=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir -p "$work/a/b/stack"
cp -R "$here/../../subsystems" "$work/subsystems"
stack=$work/a/b/stack
export FORGE_CACHE_DIR="$work/cache" FORGE_DATA_DIR="$work/data"
if [ "$way" = task ]; then
  cp -R "$here/before/." "$stack"
else
  cp -R "$here/after/." "$here/before/site" "$stack"
  cp -R "$here/../../subsystems" "$stack/code"
fi
# Where our own code is, for the Taskfiles.
export ARC_SOURCE="$work/subsystems/arc" SYNC_SOURCE="$work/subsystems/sync"
cd "$stack" || exit 2

# step NAME FACT TASK-WORDS... / FORGE-WORDS...
step() {
  name=$1 fact=$2
  shift 2
  words=
  for word; do
    if [ "$word" = / ]; then [ "$way" = task ] && break; words=; continue; fi
    words="$words $word"
  done
  "$tool" $words > "$work/said" 2>&1 < /dev/null && code=ok || code=failed
  sh -c "$fact" > /dev/null 2>&1 && seen=yes || seen=no
  echo "$name: $code, $seen"
  [ -z "${WALK_LOG:-}" ] || { echo "$way$words" >> "$WALK_LOG"; cat "$work/said" >> "$WALK_LOG"; }
}

bin='$(ls arc/.bin/arc .forge/bin/arc 2>/dev/null)'
packed='ls arc/.dist/arc-*.tar.gz .forge/dist/arc*.tar.gz 2>/dev/null | grep -q gz'
step 'the list names arc:test' "grep -q arc:test $work/said" --list-all / list
step 'health of what is not up' true arc:health / arc:health
step 'ensure our code' "test -x $bin" arc:ensure / ensure arc --offline
step 'ensure it again' "test -x $bin" arc:ensure / ensure arc --offline
step 'verify it' "test -x $bin" arc:bin:verify / verify arc
step 'test it' "grep -q plat/arc/internal/api $work/said" arc:test / arc:test
step 'lint both' true lint / run arc:lint sync:lint
step 'pack it' "$packed" arc:package / package arc --offline
step 'configure nats' 'grep -q 4222 nats/.data/nats.conf' nats:config:write / nats:config:write
step 'configure liftbridge' 'grep -q 9292 liftbridge/.data/liftbridge.yaml' liftbridge:config:write / liftbridge:config:write
step 'configure telegraf' 'grep -q inputs.diskio telegraf/.data/telegraf.conf' telegraf:config:write / telegraf:config:write
step 'back up the data' 'ls .backups/nats-*.tar.gz' data:backup / data:backup
"$(eval echo "$bin")" --listen 127.0.0.1:8428 > /dev/null 2>&1 &
pid=$!
tries=0
until curl -fs http://127.0.0.1:8428/healthz > /dev/null || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
step 'health of what is up' true arc:health / arc:health
step 'a value goes through' "grep -q value $work/said" arc:write / arc:write
kill $pid
wait $pid 2>/dev/null
step 'clean' "test -z \"$bin\"" arc:clean / clean bin
step 'a task that is not there' true arc:nonsense / arc:nonsense
