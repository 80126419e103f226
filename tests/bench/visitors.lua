-- Requests of varied visitors, some of whom come often (Zipf's law), drawn before the clock starts.
-- Arguments: how many visitors there are, the paths that each asks in turn, each ending in `anonymous_id=`, and headers.

local visitors, heads, tails, turn = {}, {}, {}, 0

local function crowd(size)
  local sum, upto = 0, {}
  for rank = 1, size do
    sum = sum + 1 / rank
    upto[rank] = sum
  end
  return upto, sum
end

local function pick(upto, sum)
  local point, low, high = math.random() * sum, 1, #upto
  while low < high do
    local middle = math.floor((low + high) / 2)
    if upto[middle] < point then low = middle + 1 else high = middle end
  end
  return low
end

function init(arguments)
  math.randomseed(7)
  local size, paths, headers = tonumber(arguments[1]), {}, {}
  for number = 2, #arguments do
    local name, value = arguments[number]:match("^([%w-]+): (.*)$")
    if name then headers[name] = value else paths[#paths + 1] = arguments[number] end
  end
  local upto, sum = crowd(size)
  for number, path in ipairs(paths) do
    heads[number], tails[number] = wrk.format("GET", path .. "WHO", headers):match("^(.-)WHO(.*)$")
  end
  for number = 1, 5 * size do
    visitors[number] = string.format("%08x-0000-4000-8000-000000000000", pick(upto, sum))
  end
end

function request()
  turn = turn % #visitors + 1
  local path = turn % #heads + 1
  return heads[path] .. visitors[turn] .. tails[path]
end

function done(summary)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "failed": %d}\n',
    summary.requests, summary.duration, failed))
end
