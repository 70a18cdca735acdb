// Package mail sends mail to people over SMTP: codes for logins.
package mail
