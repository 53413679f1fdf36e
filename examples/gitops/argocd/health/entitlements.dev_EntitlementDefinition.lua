-- The health of an EntitlementDefinition. Argo CD gives `obj`, and no library but the base and `table`.
-- It runs by itself, so what is alike for all kinds stands in each of the eight scripts.
local hs = { status = "Progressing", message = "the operator has not seen this state of the definition yet" }
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "the definition is being deleted"
  return hs
end
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return hs
end
local ready, facets
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  end
  if condition.type == "FacetsValid" then
    facets = condition
  end
end
if ready == nil then
  return hs
end

-- What comes by itself: a FacetDefinition that the same sync is about to make.
local coming = { FacetNotFound = true }
if ready.status ~= "True" then
  hs.status = coming[ready.reason] and "Progressing" or "Degraded"
  hs.message = ready.reason .. ": " .. ready.message
  return hs
end

-- Grants that state what is not valid are Degraded themselves. Were the definition too, the sync that mends them could not pass it.
hs.status = "Healthy"
hs.message = ready.message
if facets ~= nil and facets.status == "False" then
  hs.message = hs.message .. "; " .. facets.message
end
return hs
