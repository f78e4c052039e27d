-- The ledger has folded the task: its record, journal and budget expire.
-- KEYS: role pointer, task, journal, spend   ARGV: ms
local state = call('HGET', KEYS[2], 'state')
if state == 'queued' or state == 'held' or state == 'back' or state == 'delayed' then return 'busy' end
for i = 1, 4 do call('PEXPIRE', KEYS[i], ARGV[1]) end
return 'ok'
