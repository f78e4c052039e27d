-- A fenced write to a stream: the journal, or the role's own out stream.
-- KEYS: task, stream   ARGV: epoch, field, value, limit
if not holds(KEYS[1], ARGV[1]) then return 'fenced' end
if call('XLEN', KEYS[2]) >= tonumber(ARGV[4]) then return 'full' end
call('XADD', KEYS[2], '*', ARGV[2], ARGV[3])
return 'ok'
