#!/bin/sh
# Installs what `ai-infra bench bus` measures beside the bus, at pinned versions, into
# target/bench-peers of this checkout. Nothing outside that folder is touched; remove it to undo.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p target/bench-peers
npm install --prefix target/bench-peers --no-audit --no-fund bullmq@6.7.0 ioredis@6.0.0
python3 -m venv target/bench-peers/venv
target/bench-peers/venv/bin/pip install --quiet celery==5.7.0 kombu==5.7.0 redis==8.1.0 packaging==26.3
echo "installed: run 'ai-infra bench bus' from this folder"
