"""From `beacons` to `outcomes`: a Faust worker around the rules of `pipeline.domain`."""
