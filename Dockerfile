# SPDX-License-Identifier: Apache-2.0
# omserved, omc and omctl with the bundled CPU device. On a host with NPUs the container runtime
# mounts CANN's libraries, and omserved takes their libascendcl.so when it is in the library path.
#   docker build -t omserve .
#   docker run -p 8000:8000 -p 8001:8001 -p 8002:8002 \
#     -v "$PWD/models:/var/lib/omserve/models:ro" omserve
FROM debian:12 AS build
WORKDIR /src
# The set-up alone first: it changes rarely, and its layer is then reused.
COPY dev ./
COPY cmake/packages-build.txt cmake/
COPY tools/dev tools/dev
RUN ./dev setup build
COPY . .
RUN ./dev build release omserved omc omctl ascendcl

FROM debian:12-slim
COPY cmake/packages-run.txt /tmp/
RUN apt-get update \
 && grep -v '^#' /tmp/packages-run.txt | xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/* /tmp/packages-run.txt \
 && useradd --system --uid 10001 --home-dir /var/lib/omserve --create-home omserve
COPY --from=build /src/build/release/bin/omserved /src/build/release/bin/omc \
     /src/build/release/bin/omctl /opt/omserve/bin/
# The programs look for both libraries in ../lib, seen from their own folder.
COPY --from=build /src/build/release/lib/libascendcl.so /opt/omserve/lib/
COPY --from=build /src/.deps/onnxruntime/lib/libonnxruntime.so.1 /opt/omserve/lib/
COPY config/samples/omserve.yaml /etc/omserve/omserve.yaml
ENV PATH=/opt/omserve/bin:$PATH
USER omserve
EXPOSE 8000 8001 8002
# SIGTERM, docker's default, drains: give `docker stop` more time than shutdown.drain_timeout_ms.
ENTRYPOINT ["omserved"]
CMD ["--config", "/etc/omserve/omserve.yaml"]
