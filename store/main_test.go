package store_test

import (
	"os"
	"testing"

	"github.com/mailintake/mailintake/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }
