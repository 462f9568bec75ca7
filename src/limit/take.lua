-- One take from every quota of one subject, all or none, in one step. The arithmetic is gcra.rs', and a test holds the
-- two together; this file is its second home because only Redis can do it for a whole fleet at once.
--
-- KEYS  the subject's key, if there are quotas; then the claim's key, if there is a claim. One slot in a cluster.
-- ARGV  1  's' spend, 'p' look only, 'd' charge debts only, 'c' remember a claim that was answered without Redis
--       2  debts of an outage for these quotas, or '': 16 bytes each, two doubles in µs: level to add, level at least
--       3  the quotas, 21 bytes each: id (4 bytes), interval and capacity (µs, little-endian doubles), shadow (0 or 1)
--       4  the claim's fingerprint (16 bytes), if there is a claim
--       5  how long to remember it, in ms
--       6  its payload; for 'c' the value from its number of quotas on
-- Value of a subject: 12 bytes for each quota that is not at rest: id, theoretical arrival time (µs, double). Quotas that
-- this caller does not know (another version of the configuration) are kept.
-- Value of a claim: fingerprint, number of quotas (1 byte, + 128 if a replica answered alone), the quotas as in ARGV[3], the outcomes, the payload.
-- Reply 'F' .. outcomes              fresh; 8 bytes each: the level (µs, little-endian signed), or -1 - level if exceeded
--       'R' .. a claim's value from its number of quotas on
--       'C'                          the claim is held by another request
-- Cost: O(quotas). Commands used: TIME, GET, SET.
local mode, debts, quotas = ARGV[1], ARGV[2], ARGV[3]
local spend = mode == 's'

if ARGV[4] then
  local held = redis.call('GET', KEYS[#KEYS])
  if held then
    if string.sub(held, 1, 16) == ARGV[4] then
      return 'R' .. string.sub(held, 17)
    end
    return 'C'
  end
end

local outcomes = ''
if quotas ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local tats, others = {}, 0
  local value = redis.call('GET', KEYS[1])
  if value then
    for at = 1, #value - 11, 12 do
      local id, tat = struct.unpack('<c4d', value, at)
      tats[id] = tat
      others = others + 1
    end
  end

  local ids, levels, intervals, fits = {}, {}, {}, {}
  local n, granted, dirty = 0, mode ~= 'd', mode == 'd'
  for at = 1, #quotas, 21 do
    local id, interval, capacity, shadow = struct.unpack('<c4ddB', quotas, at)
    n = n + 1
    local level = (tats[id] or now) - now
    if tats[id] then
      others = others - 1
      tats[id] = nil
    end
    if level < 0 then
      level = 0
    elseif level > capacity then
      -- The clock went back: the quota reads as used up, and is written so, or it would stay so for too long.
      level, dirty = capacity, true
    end
    if debts ~= '' then
      local add, least = struct.unpack('<dd', debts, 16 * n - 15)
      level = math.min(capacity, math.max(level + add, least))
      dirty = true
    end
    local fit = level + interval <= capacity
    if not fit and shadow == 0 then
      granted = false
    end
    ids[n], levels[n], intervals[n], fits[n] = id, level, interval, fit
  end

  local parts, kept, rest = {}, {}, 0
  for i = 1, n do
    local level = levels[i]
    if granted and fits[i] then
      level = level + intervals[i]
    end
    parts[i] = struct.pack('<i8', fits[i] and level or -1 - level)
    if level > 0 then
      kept[#kept + 1] = struct.pack('<c4d', ids[i], now + level)
      if level > rest then rest = level end
    end
  end
  outcomes = table.concat(parts)

  if mode ~= 'p' and (granted or dirty) then
    if others > 0 then
      for id, tat in pairs(tats) do
        if tat > now then
          kept[#kept + 1] = struct.pack('<c4d', id, tat)
          if tat - now > rest then rest = tat - now end
        end
      end
    end
    if rest > 0 then
      redis.call('SET', KEYS[1], table.concat(kept), 'PX', math.ceil(rest / 1000))
    end
  end
end

if ARGV[4] and spend then
  redis.call('SET', KEYS[#KEYS], ARGV[4] .. string.char(#quotas / 21) .. quotas .. outcomes .. ARGV[6], 'PX', ARGV[5])
elseif mode == 'c' then
  redis.call('SET', KEYS[1], ARGV[4] .. ARGV[6], 'PX', ARGV[5])
end
return 'F' .. outcomes
