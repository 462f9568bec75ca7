-- Acquires one grant from every quota of one subject, all or none, in one step. The arithmetic is gcra.rs', and a test
-- holds the two together; this file is its second home because only Redis can do it for a whole fleet at once.
--
-- KEYS  the subject's key, if there are quotas; then the request id's key, if there is one. One slot in a cluster.
-- ARGV  1  's' spend, 'p' look only
--       2  the quotas, 21 bytes each: id (4 bytes), interval and capacity (µs, little-endian doubles), shadow (0 or 1)
--       3  the fingerprint of the request's body (16 bytes), if there is a request id
--       4  the time for which to remember the answer, in ms
--       5  the payload to remember with it
-- Value of a subject: 12 bytes for each quota that is not at rest: id, theoretical arrival time (µs, double). Quotas
-- that this caller does not know (another version of the configuration) are kept.
-- Value of a request id: fingerprint, number of quotas (1 byte; its highest bit, once set for answers given without
-- Redis, is ignored), the quotas as in ARGV[2], the outcomes, the payload.
-- Reply 'F' .. outcomes         fresh; 8 bytes each: the level (µs, little-endian signed), or -1 - level if exceeded
--       'R' .. a request id's value from its number of quotas on
--       'C'                     the request id was used with another body
-- Cost: O(quotas). Commands used: TIME, GET, SET.
local spend, quotas = ARGV[1] == 's', ARGV[2]

if ARGV[3] then
  local held = redis.call('GET', KEYS[#KEYS])
  if held then
    if string.sub(held, 1, 16) == ARGV[3] then
      return 'R' .. string.sub(held, 17)
    end
    return 'C'
  end
end

local outcomes = ''
if quotas ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local value = redis.call('GET', KEYS[1]) or ''
  -- The value holds quotas in the order of whoever wrote it, nearly always that of ARGV[2]: it is read along with them,
  -- and only from where it differs on as a map. Four numbers a quota lie in one table, which a constructor of this size
  -- makes at once for three quotas; this and the single struct.pack below are a third of the script's cost.
  local read, tats = 1, nil
  local rows, n = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 0
  local granted, dirty = true, false
  for at = 1, #quotas, 21 do
    local id, interval, capacity, shadow = struct.unpack('<c4ddB', quotas, at)
    local tat
    if not tats and read + 11 <= #value then
      local next_id, next_tat = struct.unpack('<c4d', value, read)
      if next_id == id then
        tat, read = next_tat, read + 12
      else
        tats = {}
        for rest = read, #value - 11, 12 do
          next_id, next_tat = struct.unpack('<c4d', value, rest)
          tats[next_id] = next_tat
        end
      end
    end
    if tats then
      tat = tats[id]
      tats[id] = nil
    end
    local level = (tat or now) - now
    if level < 0 then
      level = 0
    elseif level > capacity then
      -- The clock went back: the quota reads as used up, and is written so, or it would stay so for too long.
      level, dirty = capacity, true
    end
    local fits = level + interval <= capacity
    if not fits and shadow == 0 then
      granted = false
    end
    rows[n + 1], rows[n + 2], rows[n + 3], rows[n + 4] = id, level, interval, fits
    n = n + 4
  end

  local said, kept, k, rest = { 0, 0, 0 }, { 0, 0, 0, 0, 0, 0 }, 0, 0
  for i = 1, n, 4 do
    local level, fits = rows[i + 1], rows[i + 3]
    if granted and fits then
      level = level + rows[i + 2]
    end
    said[(i + 3) / 4] = fits and level or -1 - level
    if level > 0 then
      kept[k + 1], kept[k + 2] = rows[i], now + level
      k = k + 2
      if level > rest then rest = level end
    end
  end
  outcomes = struct.pack('<' .. string.rep('i8', n / 4), unpack(said, 1, n / 4))

  if spend and (granted or dirty) then
    if not tats and read + 11 <= #value then
      tats = {}
      for at = read, #value - 11, 12 do
        local id, tat = struct.unpack('<c4d', value, at)
        tats[id] = tat
      end
    end
    if tats then
      for id, tat in pairs(tats) do
        if tat > now then
          kept[k + 1], kept[k + 2] = id, tat
          k = k + 2
          if tat - now > rest then rest = tat - now end
        end
      end
    end
    if rest > 0 then
      local states = struct.pack('<' .. string.rep('c4d', k / 2), unpack(kept, 1, k))
      redis.call('SET', KEYS[1], states, 'PX', math.ceil(rest / 1000))
    end
  end
end

if ARGV[3] and spend then
  redis.call('SET', KEYS[#KEYS], ARGV[3] .. string.char(#quotas / 21) .. quotas .. outcomes .. ARGV[5], 'PX', ARGV[4])
end
return 'F' .. outcomes
