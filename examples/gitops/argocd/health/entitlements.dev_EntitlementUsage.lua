-- The health of an EntitlementUsage. Argo CD gives `obj`, and no library but the base and `table`.
-- It runs by itself, so what is alike for all kinds stands in each of the eight scripts.
local hs = { status = "Progressing", message = "the operator has not seen this state of the report yet" }
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "the report is being deleted"
  return hs
end
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return hs
end
local ready
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  end
end
if ready == nil then
  return hs
end

-- Nothing of it comes by itself: what is reported again, or its definition, has to be mended. A register that lies ahead is not counted
-- yet, and that is what the message says.
if ready.status ~= "True" then
  hs.status = "Degraded"
  hs.message = ready.reason .. ": " .. ready.message
  return hs
end

hs.status = "Healthy"
hs.message = ready.message
return hs
