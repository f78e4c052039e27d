-- The ledger has folded the task: its record, journal and budget expire.
-- KEYS: role pointer, task, journal, spend, what was given   ARGV: ms
local state = call('HGET', KEYS[2], 'state')
local open = { queued = 1, held = 1, back = 1, delayed = 1, parked = 1 }
if state and open[state] then return 'busy' end
for i = 1, 5 do call('PEXPIRE', KEYS[i], ARGV[1]) end
return 'ok'
