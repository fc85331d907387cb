#include "build/ops/unpack.h"
