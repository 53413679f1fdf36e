-- The health of an Organization. Argo CD gives `obj`, and no library but the base and `table`.
-- It runs by itself, so what is alike for all kinds stands in each of the eight scripts.
local hs = { status = "Progressing", message = "the operator has not seen this state of the organization yet" }
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "the organization is being deleted"
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

-- What comes by itself: a namespace that the same sync, or another tool, is about to make.
local coming = { NamespaceMissing = true }
if ready.status ~= "True" then
  hs.status = coming[ready.reason] and "Progressing" or "Degraded"
  hs.message = ready.reason .. ": " .. ready.message
  return hs
end

-- Never Suspended: a sync would wait for that organization, and the grants of all others behind it.
hs.status = "Healthy"
hs.message = ready.message
if obj.spec.suspended then
  hs.message = "suspended (spec.suspended is true): nothing is delivered to it"
end
return hs
