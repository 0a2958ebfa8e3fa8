ARG V
FROM postgres:${V}
