/* The contract compiles by itself; what it declares is in KVPagerC. */
#include "kvpager.h"
