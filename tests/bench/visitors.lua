-- Requests of varied visitors, some of whom come often (Zipf's law), made before the clock starts.
-- Arguments: how many visitors there are, and the paths that each asks in turn, each ending in `anonymous_id=`.

local requests, turn = {}, 0

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
  local size, paths = tonumber(arguments[1]), { unpack(arguments, 2) }
  local upto, sum = crowd(size)
  local headers = { ["Host"] = "127.0.0.1", ["Origin"] = "https://blog.example.com" }
  for number = 1, math.min(5 * size, 50000) do
    local who = string.format("%08x-0000-4000-8000-000000000000", pick(upto, sum))
    requests[number] = wrk.format("GET", paths[number % #paths + 1] .. who, headers)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "failed": %d}\n',
    summary.requests, summary.duration, failed))
end
