-- Freezes the team and pauses roles, or lets go of them: the keys become what the ledger says.
-- KEYS: frozen   ARGV: who froze it and when, or '', then for each role: paused key, wake key, 1 or 0
local freed = false
if ARGV[1] == '' then
  freed = call('DEL', KEYS[1]) == 1
elseif call('GET', KEYS[1]) ~= ARGV[1] then
  call('SET', KEYS[1], ARGV[1])
end
for i = 2, #ARGV, 3 do
  local woken = freed
  if ARGV[i + 2] == '1' then
    if call('EXISTS', ARGV[i]) == 0 then call('SET', ARGV[i], '1') end
  elseif call('DEL', ARGV[i]) == 1 then
    woken = true
  end
  if woken then call('XADD', ARGV[i + 1], 'MAXLEN', 1, '*', 'w', '1') end
end
return 1
