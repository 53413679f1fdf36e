-- The health of an EntitlementPlan. Argo CD gives `obj`, and no library but the base and `table`.
-- It runs by itself, so what is alike for all kinds stands in each of the eight scripts.
local hs = { status = "Progressing", message = "the operator has not seen this state of the plan yet" }
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "the plan is being deleted"
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

-- What comes by itself: a definition or another plan that the same sync is about to make. Where such a one is wrong, it says so itself.
local coming = { DefinitionNotFound = true, DefinitionNotReady = true, IncludeNotFound = true, IncludeNotReady = true }
if ready.status ~= "True" then
  hs.status = coming[ready.reason] and "Progressing" or "Degraded"
  hs.message = ready.reason .. ": " .. ready.message
  return hs
end

hs.status = "Healthy"
hs.message = ready.message
return hs
