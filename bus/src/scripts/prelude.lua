-- Put in front of every script. Key names come in as arguments: only keys.rs spells them.
local call = redis.call

local function now_ms()
  local t = call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function int(n) return string.format('%.0f', n) end

-- Every process that speaks touches the pulse. When nobody spoke for longer than half a lease
-- (3 s at least), Redis itself was away or frozen, so nothing is reclaimed for one lease.
-- `seen` is the pulse where the caller has read it already. Answers the grace that it began. It is
-- written as rarely as leaves 2.5 s to the next: each write is an fsync, and an idle team writes
-- little else.
local function touch(pulse, grace, now, lease, seen)
  if seen == nil then seen = call('GET', pulse) end
  local last, begun = tonumber(seen or now) or now, nil
  local gap = math.max(lease / 2, 3000)
  if now - last > gap then
    begun = now + lease
    call('SET', grace, int(begun), 'PX', int(lease * 2))
  end
  if not seen or now - last > gap - 2500 or last > now then
    call('SET', pulse, int(now))
  end
  return begun
end

-- Wakes whoever waits for work of the role. A claim that found nothing leaves the mark `idle`, in
-- the step in which it looked, so without a mark nobody waits and there is nothing to write.
local function wake_idle(wake, idle)
  if call('GET', idle) == '1' then
    call('XADD', wake, 'MAXLEN', 1, '*', 'w', '1')
    call('SET', idle, '0')
  end
end

-- How long a task rests after a holder died with it: not at all the first time, then 1 s, 2 s, 4 s
-- and so on (shorter steps where a lease is shorter), and not before it is given up for good.
local function rest_ms(crashes, lease, limit)
  if crashes < 1 or crashes + 1 >= limit then return 0 end
  return math.min(lease, 1000) * 2 ^ math.min(crashes - 1, 5)
end

-- The one fence: a write counts only for the holder whose epoch is the newest. (Lines that end in
-- `fence`, `lease` or `timer` carry a guarantee: a test leaves them out and must see it missing.)
local function holds(task, epoch)
  local f = call('HMGET', task, 'state', 'epoch')
  if f[1] ~= 'held' or f[2] ~= epoch then return false end -- fence
  return true
end

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end

-- Takes an entry out of a stream and keeps what it held, whole up to `max`, else only `cut` bytes.
local function dead_letter(dead, stream, group, id, reason, body, size, task, max, cut)
  if size > max then body = string.sub(body, 1, cut) end
  call('XADD', dead, 'MAXLEN', '~', 10000, '*', 'stream', stream, 'entry', id, 'reason', reason,
    'at', int(now_ms()), 'size', int(size), 'task', task, 'body', body)
  call('XACK', stream, group, id)
  call('XDEL', stream, id)
end

-- Where a queued task lies. Its record says so, and its role's own user writes records: that counts only where the
-- stream is one of the task's own lanes and the entry there carries the task's id. KEYS from `first` on are for each
-- lane: lease, back, delay, urgent, normal, background. Answers stream, entry and work message, or nil and `gone`
-- (there is nothing) or `spoilt` (what the record says is not true).
local function own_place(first, task, stream, entry)
  local own = false
  for i = first, #KEYS, 6 do
    own = own or stream == KEYS[i + 3] or stream == KEYS[i + 4] or stream == KEYS[i + 5]
  end
  if not own or not entry then return nil, 'spoilt' end
  local found = redis.pcall('XRANGE', stream, entry, entry, 'COUNT', 1)
  if found.err then return nil, 'spoilt' end
  if not found[1] then return nil, 'gone' end
  if field(found[1][2], 't') ~= task then return nil, 'spoilt' end
  return { stream = stream, entry = found[1][1], body = field(found[1][2], 'e') or '' }
end

-- Takes it out of there.
local function leave(place, group)
  call('XACK', place.stream, group, place.entry)
  call('XDEL', place.stream, place.entry)
end
