-- A connection was made. Another run id than last time means that Redis was restarted or replaced.
-- A worker of a home says which one, and waits outside until the supervisor has compared this Redis
-- with its ledger. Answers 'ok', 'other' (the keys are another home's) or 'unsettled'.
-- KEYS: pulse, grace, incarnation   ARGV: lease ms, run id, home or '', 1 for a worker, owner key,
--                                         settled key
local lease, now = tonumber(ARGV[1]), now_ms()
if ARGV[3] ~= '' then
  local owner = call('GET', ARGV[5])
  if owner and owner ~= ARGV[3] then return 'other' end
end
local old = call('GET', KEYS[3])
if old and old ~= ARGV[2] then
  call('SET', KEYS[2], int(now + lease), 'PX', int(lease * 2))
  call('SET', KEYS[1], int(now))
end
if old ~= ARGV[2] then call('SET', KEYS[3], ARGV[2]) end
touch(KEYS[1], KEYS[2], now, lease)
if ARGV[3] ~= '' and ARGV[4] == '1' and call('GET', ARGV[6]) ~= ARGV[2] then return 'unsettled' end
return 'ok'
