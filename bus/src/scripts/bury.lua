-- A claimed task that cannot be worked on: dead letter, and a word to the supervisor.
-- KEYS: task, lease, dead, out   ARGV: epoch, task id, group, reason, envelope, largest, bytes kept
if not holds(KEYS[1], ARGV[1]) then return 'fenced' end
local f = call('HMGET', KEYS[1], 'stream', 'entry')
local found = call('XRANGE', f[1], f[2], f[2])
local body = found[1] and field(found[1][2], 'e') or ''
dead_letter(KEYS[3], f[1], ARGV[3], f[2], ARGV[4], body, string.len(body), ARGV[2],
  tonumber(ARGV[6]), tonumber(ARGV[7]))
call('XADD', KEYS[4], '*', 'e', ARGV[5])
call('ZREM', KEYS[2], ARGV[2])
call('HSET', KEYS[1], 'state', 'dead')
return 'ok'
