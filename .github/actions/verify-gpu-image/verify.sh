#!/usr/bin/env bash
# The work of the action, apart so that it can be tried on any machine:
#   IMAGE_PATH=image.tar FAIL_ON=error RUNNER_TEMP=/tmp/x GITHUB_OUTPUT=/tmp/x/out bash verify.sh
# fwdoctor is taken from $RUNNER_TEMP/fwdoctor, or from PATH.
set -euo pipefail

PATH="$RUNNER_TEMP/fwdoctor/bin:$PATH"
report="$RUNNER_TEMP/fwdoctor-image.json"

if [[ -n "${IMAGE:-}" && -n "${IMAGE_PATH:-}" ]]; then
  echo "::error::give image or path, not both"
  exit 2
elif [[ -n "${IMAGE:-}" ]]; then
  IMAGE_PATH="$RUNNER_TEMP/fwdoctor-image.tar"
  docker save --output "$IMAGE_PATH" "$IMAGE"
elif [[ -z "${IMAGE_PATH:-}" ]]; then
  echo "::error::give image or path"
  exit 2
fi

options=(--fail-on "${FAIL_ON:-error}" --format github --also "json=$report")
if [[ -n "${PLATFORM:-}" ]]; then options+=(--platform "$PLATFORM"); fi
if [[ -n "${EXPECT:-}" ]]; then options+=(--expect "$EXPECT"); fi
if [[ -n "${SARIF:-}" ]]; then options+=(--also "sarif=$SARIF"); fi

# One reading of the archive: annotations and the job summary, JSON for the outputs.
rm -f "$report"
code=0
fwdoctor image "$IMAGE_PATH" "${options[@]}" || code=$?
if [[ ! -f "$report" ]]; then
  exit "$code" # the image could not be read; the message is in the log already
fi
python3 - "$report" >>"$GITHUB_OUTPUT" <<'PYTHON'
import json, sys
with open(sys.argv[1], encoding="utf-8") as stream:
    report = json.load(stream)
for name, key in (
    ("verdict", "verdict"),
    ("minimum-driver", "min_driver"),
    ("require-cuda", "require_cuda"),
):
    print(f"{name}={report[key] or ''}")
print(f"report={sys.argv[1]}")
PYTHON
exit "$code"
