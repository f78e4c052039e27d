-- Queues tasks, each once, now or at its due time. Bounded here, at the producer; a work stream is
-- never trimmed.
-- KEYS: lanes, then for each task: role pointer, task, stream, wake, idle, delay, what was given
-- ARGV: limit, then for each task: task id, role, lane member, envelope, due ms (0: now), what is given ('': nothing)
-- Answers a word for each task: new, again or full.
local limit, said, looked, lengths = tonumber(ARGV[1]), {}, {}, {}
for n = 1, (#ARGV - 1) / 6 do
  local k, a = 7 * n - 5, 6 * n - 4
  local stream, idle, due = KEYS[k + 2], KEYS[k + 4], tonumber(ARGV[a + 4])
  local later = due > 0 and due > now_ms()
  local queue = later and KEYS[k + 5] or stream
  local length = lengths[queue] or call(later and 'ZCARD' or 'XLEN', queue)
  lengths[queue] = length
  if length >= limit then
    said[n] = call('EXISTS', KEYS[k]) == 1 and 'again' or 'full'
  elseif not call('SET', KEYS[k], ARGV[a + 1], 'NX') then
    said[n] = 'again'
  else
    if ARGV[a + 5] ~= '' then call('SET', KEYS[k + 6], ARGV[a + 5]) end
    if later then
      call('HSET', KEYS[k + 1], 'state', 'delayed', 'lane', ARGV[a + 2], 'stream', stream,
        'body', ARGV[a + 3], 'limit', ARGV[1])
      call('ZADD', KEYS[k + 5], int(due), ARGV[a])
    else
      local entry = call('XADD', stream, '*', 't', ARGV[a], 'e', ARGV[a + 3])
      call('HSET', KEYS[k + 1], 'state', 'queued', 'lane', ARGV[a + 2], 'stream', stream,
        'entry', entry)
    end
    lengths[queue] = length + 1
    if length == 0 then call('SADD', KEYS[1], ARGV[a + 2]) end
    if not looked[idle] then
      looked[idle] = true
      wake_idle(KEYS[k + 3], idle)
    end
    said[n] = 'new'
  end
end
return said
