"""A trace as FHIR R4 resources, for systems that speak it."""
