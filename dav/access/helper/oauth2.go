package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"inetdav/dav/access/question"
	"inetdav/dav/config"
)

// maxToken bounds the answer of a token endpoint, in bytes.
const maxToken = 1 << 20

// oauth2Login asks for a token with the user's password: the grant of RFC 6749, 4.3.
func oauth2Login(ctx context.Context, c *config.Config, q question.Question) (a question.Answer, err error) {
	endpoint := c.String("auth", "oauth2_token_endpoint")
	if endpoint == "" {
		return a, errors.New("[auth] oauth2_token_endpoint is empty")
	}
	form := url.Values{
		"grant_type": {"password"}, "client_id": {c.String("auth", "oauth2_client_id")},
		"username": {q.User}, "password": {q.Password},
	}
	if secret := c.String("auth", "oauth2_client_secret"); secret != "" {
		form.Set("client_secret", secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return a, fmt.Errorf("[auth] oauth2_token_endpoint: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	// A redirection would carry the password to where nobody meant it to go.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return a, fmt.Errorf("oauth2: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return a, fmt.Errorf("oauth2: %w", err)
	}
	var token struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	unreadable := json.Unmarshal(body, &token)
	switch {
	case resp.StatusCode == http.StatusOK && unreadable == nil && token.AccessToken != "":
		return yes(q.User), nil
	case resp.StatusCode == http.StatusOK:
		return a, errors.New("oauth2: the answer has no access_token")
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return a, fmt.Errorf("oauth2: %s", resp.Status)
	case token.Error == "invalid_client" || token.Error == "unauthorized_client" || token.Error == "unsupported_grant_type":
		// RFC 6749, 5.2: about us, not about the user
		return a, fmt.Errorf("oauth2: %s", token.Error)
	case resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return no("oauth2: %s %.40q", resp.Status, token.Error), nil
	}
	return a, fmt.Errorf("oauth2: %s", resp.Status)
}
