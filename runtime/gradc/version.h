// gradc/version.h: the version of the runtime headers. Emitted code checks it against the one it was made for.
#pragma once

#define GRADC_RUNTIME_VERSION 1
