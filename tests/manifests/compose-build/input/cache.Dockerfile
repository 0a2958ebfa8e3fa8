FROM redis:7.2.5 AS base
FROM base AS runtime
COPY redis.conf /x
FROM golang AS last
