#!/bin/bash
# pauses.sh SHARE PORT USER PASSWORD OPTIONS SECONDS: the application alone.
. "$(dirname "$0")/beside.sh"
finish "the application alone"
