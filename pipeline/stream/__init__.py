"""From `beacons` to `outcomes`: three pure steps, and the Faust machinery that carries them."""
