-- A fenced write to a stream: the journal, or the role's own out stream. A value that is the
-- newest there already was sent again because its answer got lost.
-- KEYS: task, stream   ARGV: epoch, field, value, limit
if not holds(KEYS[1], ARGV[1]) then return 'fenced' end
local last = call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
if last[1] and field(last[1][2], ARGV[2]) == ARGV[3] then return 'ok' end
if call('XLEN', KEYS[2]) >= tonumber(ARGV[4]) then return 'full' end
call('XADD', KEYS[2], '*', ARGV[2], ARGV[3])
return 'ok'
