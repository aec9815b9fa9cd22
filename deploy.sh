#!/usr/bin/env bash
# Puts Munshi on Cloud Run: one instance that always has its CPU, PostgreSQL, secrets from Secret Manager, and one
# reserved address for everything that goes out, because Dhan refuses order calls from others.
#
#   GCP_PROJECT=my-project ./deploy.sh [--dry-run]
#
# Run again it changes what is different and leaves the rest. --dry-run prints the commands and runs none.
set -euo pipefail
cd "$(dirname "$0")"

dry=false
case "${1:-}" in
  "") ;;
  --dry-run) dry=true ;;
  *) echo "usage: GCP_PROJECT=my-project ./deploy.sh [--dry-run]" >&2; exit 2 ;;
esac

project=${GCP_PROJECT:?name the Google Cloud project in GCP_PROJECT}
region=${GCP_REGION:-asia-south1}
service=${SERVICE:-tradingview-webhook}
operators=${TELEGRAM_OPERATORS:?name your Telegram user id in TELEGRAM_OPERATORS, or nobody could use the desk}
mode=${MUNSHI_MODE:-paper}
database="munshi-$mode" # of each mode its own: orders made for pretend money must never cost real money
runner="munshi-desk@$project.iam.gserviceaccount.com"
caller="munshi-scheduler@$project.iam.gserviceaccount.com"
image="$region-docker.pkg.dev/$project/munshi/munshi:latest"

run() {
  if $dry; then printf '%q ' "$@"; echo; else "$@" --project="$project" --quiet; fi
}

# ensure NOUN… -- ARGUMENTS…: make it unless it is there; `describe` takes the first argument after the noun alone.
ensure() {
  local noun=() there=()
  while [ "$1" != "--" ]; do noun+=("$1"); shift; done
  shift
  local name=$1; shift
  for argument in "$@"; do
    case "$argument" in --region=* | --router=* | --router-region=* | --location=* | --instance=*) there+=("$argument") ;; esac
  done
  if ! $dry && gcloud "${noun[@]}" describe "$name" "${there[@]}" --project="$project" >/dev/null 2>&1; then return; fi
  run gcloud "${noun[@]}" create "$name" "$@"
}

# A secret that only the desk needs to know is made here once; nobody sees it.
ensure_secret() {
  if $dry; then
    printf '%q ' gcloud secrets create "$1" --replication-policy=automatic --data-file=-; echo "  # $2"
  elif ! gcloud secrets describe "$1" --project="$project" >/dev/null 2>&1; then
    printf %s "$2" | gcloud secrets create "$1" --replication-policy=automatic --data-file=- --project="$project" --quiet
  fi
}

random() { if $dry; then echo "made here"; else openssl rand -base64 32 | tr '+/' '-_' | tr -d '\n'; fi; }

if $dry; then number=PROJECT_NUMBER; else number=$(gcloud projects describe "$project" --format='value(projectNumber)'); fi
url="https://$service-$number.$region.run.app"

run gcloud services enable run.googleapis.com cloudbuild.googleapis.com artifactregistry.googleapis.com \
  secretmanager.googleapis.com sqladmin.googleapis.com compute.googleapis.com cloudscheduler.googleapis.com

# The address that Dhan will see: everything leaves by one NAT with one reserved address.
ensure compute networks -- munshi --subnet-mode=custom
ensure compute networks subnets -- munshi --network=munshi --region="$region" --range=10.8.0.0/26
ensure compute addresses -- munshi-egress --region="$region"
ensure compute routers -- munshi --network=munshi --region="$region"
ensure compute routers nats -- munshi --router=munshi --region="$region" \
  --nat-all-subnet-ip-ranges --nat-external-ip-pool=munshi-egress

# Who the desk is, and who may call it by the clock.
for account in munshi-desk munshi-scheduler; do
  if $dry || ! gcloud iam service-accounts describe "$account@$project.iam.gserviceaccount.com" \
    --project="$project" >/dev/null 2>&1; then
    run gcloud iam service-accounts create "$account"
  fi
done
for role in secretmanager.secretAccessor secretmanager.secretVersionAdder cloudsql.client; do
  run gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$runner" --role="roles/$role" \
    --condition=None
done

# PostgreSQL: a container's own disk is gone with the container.
password=$(random)
ensure sql instances -- munshi --region="$region" --database-version=POSTGRES_16 --edition=enterprise \
  --tier=db-f1-micro --storage-auto-increase --backup-start-time=20:30
ensure sql databases -- "$database" --instance=munshi
if $dry; then
  run gcloud sql users create "$database" --instance=munshi --password=PASSWORD
elif ! gcloud secrets describe "database-url-$mode" --project="$project" >/dev/null 2>&1; then
  verb=create
  if gcloud sql users list --instance=munshi --project="$project" --format='value(name)' | grep -qx "$database"; then
    verb=set-password # an earlier run ended before it had kept the password that it made
  fi
  run gcloud sql users "$verb" "$database" --instance=munshi --password="$password"
fi
ensure_secret "database-url-$mode" \
  "postgresql+psycopg://$database:$password@/$database?host=/cloudsql/$project:$region:munshi"

# Without these four made here, every restart would make others, and alerts and links would stop to fit.
ensure_secret webhook-secret "$(random)"
ensure_secret admin-token "$(random)"
ensure_secret postback-key "$(random)"
ensure_secret token-keys "$(random)"

# In live mode each new sign-in becomes a version of this one, which begins with none.
ensure secrets -- dhan-access-token --replication-policy=automatic

ensure artifacts repositories -- munshi --location="$region" --repository-format=docker
run gcloud builds submit . --config=deploy/cloudbuild.yaml --substitutions="_IMAGE=$image"

run gcloud run deploy "$service" --image="$image" --region="$region" --service-account="$runner" \
  --min-instances=1 --max-instances=1 --no-cpu-throttling --cpu=1 --memory=512Mi --timeout=300 --concurrency=80 \
  --execution-environment=gen2 --port=8080 --allow-unauthenticated \
  --network=munshi --subnet=munshi --vpc-egress=all-traffic \
  --add-cloudsql-instances="$project:$region:munshi" \
  --set-env-vars="^|^LOG_LEVEL=${LOG_LEVEL:-INFO}|LOG_FORMAT=json|MUNSHI_MODE=$mode|PUBLIC_URL=$url|TELEGRAM_OPERATORS=$operators|SECRETS_BACKEND=gcp|GCP_PROJECT=$project|OIDC_AUDIENCE=$url|OIDC_SERVICE_ACCOUNT=$caller" \
  --set-secrets="DATABASE_URL=database-url-$mode:latest,WEBHOOK_SECRET=webhook-secret:latest,ADMIN_TOKEN=admin-token:latest,POSTBACK_KEY=postback-key:latest,TOKEN_KEYS=token-keys:latest,TELEGRAM_BOT_TOKEN=telegram-bot-token:latest"

# The daily sign-in link, at 12:00 UTC, 17:30 in India: it goes to Telegram, so nobody reads the job's log.
if $dry || ! gcloud scheduler jobs describe dhan-token-refresh --location="$region" --project="$project" >/dev/null 2>&1; then
  verb=create
else
  verb=update
fi
run gcloud scheduler jobs "$verb" http dhan-token-refresh --location="$region" --schedule="0 12 * * *" \
  --time-zone=Etc/UTC --http-method=POST --uri="$url/refresh-token?use_callback=true" \
  --oidc-service-account-email="$caller" --oidc-token-audience="$url" --attempt-deadline=60s

if $dry; then exit; fi
echo
echo "The desk is at $url; TradingView's webhook address is $url/webhook."
echo "Register this address at Dhan, or send /ip set in the chat:"
gcloud compute addresses describe munshi-egress --region="$region" --project="$project" --format='value(address)'
