-- Forgets one decision: KEYS as in remember.lua, ARGV 1 its id.
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2])
